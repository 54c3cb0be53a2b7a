/* Secrets of the installation and what is made with them: sealed contacts, persons, follow-up tokens.
 * A secret is a 0600 file of 32 random bytes; it never appears in a log, an argument or the environment. */
#ifndef HY_BASE_SEAL_H
#define HY_BASE_SEAL_H

#include "base/err.h"
#include "base/id.h"

struct hy_secret {
	uint8_t b[32];
};
int hy_secret_make(const char *path, struct hy_fault *f);                        /* HY_EXISTS leaves the file as it is */
int hy_secret_load(const char *path, struct hy_secret *out, struct hy_fault *f); /* HY_FORBIDDEN when others may read it */
/* One of words, such as a password: without the newline behind it, with a NUL. `room` counts that. */
int hy_secret_load_text(const char *path, char *out, size_t room, struct hy_fault *f);
int hy_secret_load_text_credential(const char *path, char *out, size_t room, struct hy_fault *f);
/* One that a service manager put into a directory of ours alone: an access list that lets us in shows up as its group's bits. */
int hy_secret_load_credential(const char *path, struct hy_secret *out, struct hy_fault *f);

/* XChaCha20-Poly1305 with a random nonce: appends nonce and ciphertext to `out`. */
int hy_seal(const struct hy_secret *k, struct hy_bytes plain, struct hy_buffer *out);
int hy_unseal(const struct hy_secret *k, struct hy_bytes sealed, struct hy_buffer *out); /* HY_DAMAGED */

/* Who a customer is without saying it: 16 bytes of BLAKE2b keyed with the contact key over (project, kind, value). `kind` is 'i' for
 * customer.id, 'e' e-mail (folded to lower case here), 'p' phone (digits and + only, folded here). Different kinds never meet. */
#define HY_PERSON_SIZE 16
void hy_person(const struct hy_secret *k, uint32_t project, char kind, struct hy_bytes value, uint8_t out[static HY_PERSON_SIZE]);

/* What a link in a mail carries: whom we asked about which round of which ticket, signed (HMAC, keyed BLAKE2b-256 cut to 16 bytes). base64url. */
struct hy_token {
	struct hy_id ticket;
	uint32_t round;
	uint8_t person[HY_PERSON_SIZE];
	uint8_t purpose; /* 'r' = did this help? */
};
#define HY_TOKEN_TEXT 80 /* with its NUL */
void hy_token_write(const struct hy_secret *k, const struct hy_token *t, char out[static HY_TOKEN_TEXT]);
bool hy_token_read(const struct hy_secret *k, const char *text, struct hy_token *out); /* constant time; false for anything not ours */

#endif
