/* Files of an installation: written whole or not at all, and its huiyin.yaml looked into. */
#ifndef HUIYIN_FILES_H
#define HUIYIN_FILES_H

#include "service/service.h"

/* Puts `content` there by a temporary name, fsync and rename, so that a reader sees the old file or the new one. A file that is
 * replaced keeps its mode and owner, a new one gets `mode`. */
int file_write(const char *path, struct hy_bytes content, unsigned mode, struct hy_fault *f);
/* Appends the file's content. HY_NOT_FOUND, HY_TOO_LARGE above `most`. */
int file_read(const char *path, size_t most, struct hy_buffer *out, struct hy_fault *f);
/* A directory, made when it is not there; *made tells (may be NULL). */
int file_mkdir(const char *path, unsigned mode, bool *made, struct hy_fault *f);

/* 1 to 63 of A-Z a-z 0-9 _ . -, and no option or hidden file. */
bool file_good_name(const char *name);

#define KEY_TEXT 47 /* hy_ + 43 + NUL */
/* A new API key: hy_ and 43 of [A-Za-z0-9], 256 bits. */
void key_make(char out[static KEY_TEXT]);
/* What huiyin.yaml holds of it: BLAKE2b-256 in hex, 64 digits and a NUL. */
void key_hash(const char *key, char out[static 65]);
/* The key in a file, without white space around it. HY_CONFIG when there is none. */
int key_load(const char *path, char *out, size_t room, struct hy_fault *f);

/* Settings that the command itself needs. */
struct settings {
	char listen[256], public_url[256], model[1024]; /* model: empty = the one that came with the program */
	char certificate[1100]; /* of the collector's own TLS; empty = plain HTTP */
};
/* HY_CONFIG when there is no huiyin.yaml. Faults elsewhere in the file are the daemons' matter. */
int settings_read(const char *dir, struct settings *out, struct hy_fault *f);

#endif
