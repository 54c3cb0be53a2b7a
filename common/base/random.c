#include "base/random.h"

#include "base/err.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

static pthread_once_t ready = PTHREAD_ONCE_INIT;
static _Thread_local struct {
	uint8_t bytes[4096]; /* each filling is a system call */
	size_t left;
} pool;

/* A child that kept our pool would issue our next ids, and seal with our next nonces, a second time. */
static void forget_pool(void)
{
	pool.left = 0;
}

static void get_ready(void)
{
	if (sodium_init() < 0)
		hy_panic("libsodium finds no source of randomness");
	if (pthread_atfork(NULL, NULL, forget_pool) != 0)
		hy_panic("no fork handler");
}

void hy_sodium_ready(void)
{
	pthread_once(&ready, get_ready);
}

void hy_random(void *out, size_t size)
{
	hy_sodium_ready();
	HY_ASSERT(size <= sizeof(pool.bytes));
	if (pool.left < size) {
		randombytes_buf(pool.bytes, sizeof(pool.bytes));
		pool.left = sizeof(pool.bytes);
	}
	pool.left -= size;
	memcpy(out, pool.bytes + pool.left, size);
}
