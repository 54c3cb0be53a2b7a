/* Random bytes in small amounts, for ids and nonces: the kernel is asked for some hundreds at a time. A process that forks never shares them with its child.
 * For keys and other secrets ask the kernel itself (randombytes_buf): what is used up here may stand in memory for a while. Any thread. */
#ifndef HY_BASE_RANDOM_H
#define HY_BASE_RANDOM_H

#include <stddef.h>

void hy_random(void *out, size_t size); /* at most 512 bytes; panics without a source of randomness */
/* libsodium finds the fastest ways of this machine, once per process; hy_random() sees to it by itself. */
void hy_sodium_ready(void);

#endif
