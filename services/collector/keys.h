/* API keys: who may speak, for which project, in which scopes, and how fast. Rows of huiyin.yaml:
 *     keys:
 *       - { name: app-default, hash: 4f..., project: default, scopes: [feedback], rate: unlimited }
 * `hash` is BLAKE2b-256 of the key's text, in hex: the text itself (hy_ and 43 of [A-Za-z0-9]) is nowhere but with its owner. The file
 * is looked at every two seconds: a new or revoked key works without a restart; a faulty file leaves the old rows. */
#ifndef COLLECTOR_KEYS_H
#define COLLECTOR_KEYS_H

#include "service/service.h"

struct keys;
struct key {
	char name[64];
	uint8_t hash[32];
	uint32_t project, number;  /* number: the first 4 bytes of the hash, never 0 */
	uint64_t scope;            /* of idempotency: the first 8 */
	bool may_feedback;
	double rate;               /* items a second; 0 = unlimited */
	double tokens;             /* of the bucket: one second's worth at most */
	int64_t filled_ms;
};

extern const struct hy_conf_row keys_conf[];

/* Reports faults through hy_conf_fault; the caller owns *out. `d` knows the projects. */
int keys_read(struct keys **out, const struct hy_daemon *d, const struct hy_conf *conf);
void keys_free(struct keys **k);
/* Reads the file again when it has changed; *k is replaced only by one without faults. */
void keys_refresh(struct keys **k, const struct hy_daemon *d);

/* By the Authorization header (Bearer KEY, or Basic with the key as user name); NULL for a stranger. */
struct key *keys_find(struct keys *k, const char *authorization);
struct key *keys_find_text(struct keys *k, struct hy_bytes text);
/* Takes `items` from the key's bucket: 0, or the ms to wait before they would fit. */
int64_t key_spend(struct key *key, size_t items);

#endif
