/* API keys: who may speak, for which project, in which scopes, and how fast. Rows of huiyin.yaml:
 *     keys:
 *       - { name: app-default, hash: 4f..., project: default, scopes: [feedback], rate: unlimited }
 * `hash` is BLAKE2b-256 of the key's text, in hex: the text itself (hy_ and 43 of [A-Za-z0-9]) is nowhere but with its owner. The file
 * is looked at every two seconds: a new or revoked key works without a restart; a faulty file leaves the old rows. A row may have
 * `curve: "40 characters of Z85"`, the public key of the app that may come with it through a door with CURVE. */
#ifndef HY_SERVICE_KEYS_H
#define HY_SERVICE_KEYS_H

#include "loop/loop.h"
#include "service/service.h"

struct hy_keys;
struct hy_api_key {
	char name[64];
	uint8_t hash[32];
	uint32_t project, number;  /* number: the first 4 bytes of the hash, never 0 */
	uint64_t scope;            /* of idempotency: the first 8 */
	bool may_feedback, may_follow; /* its scopes */
	char curve[HY_CURVE_TEXT]; /* the app's public key; "" = none */
	double rate;               /* items a second; 0 = unlimited */
	double tokens;             /* of the bucket: one second's worth at most */
	int64_t filled_ms;
};

/* The daemon's keys as the file has them now. Server thread; what is found in them lives until the next call of this. */
struct hy_keys *hy_daemon_keys(struct hy_daemon *d);

/* For the skeleton: reports faults through hy_conf_fault; the caller owns *out. `d` knows the projects. */
int hy_keys_read(struct hy_keys **out, const struct hy_daemon *d, const struct hy_conf *conf);
void hy_keys_free(struct hy_keys **k);

/* By the Authorization header (Bearer KEY, or Basic with the key as user name); NULL for a stranger. */
struct hy_api_key *hy_keys_find(struct hy_keys *k, const char *authorization);
struct hy_api_key *hy_keys_find_text(struct hy_keys *k, struct hy_bytes text);
/* Row by row: NULL behind the last. */
const struct hy_api_key *hy_keys_row(const struct hy_keys *k, size_t i);
/* Takes `items` from the key's bucket: 0, or the ms to wait before they would fit. */
int64_t hy_api_key_spend(struct hy_api_key *key, size_t items);
/* The ms until at least one item would fit, now 0; takes nothing. */
int64_t hy_api_key_wait(const struct hy_api_key *key);

#endif
