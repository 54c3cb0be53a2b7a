#include "support/starve.h"

#include <stddef.h>

/* The linker's --wrap sends our calls to __wrap_malloc() and knows the C library's as __real_malloc(). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static _Thread_local long left; /* until the one that fails; 0 = none will */
static _Thread_local bool failed;

static bool fails(void)
{
	if (left == 0 || --left > 0)
		return false;
	return failed = true;
}

void starve_at(long nth)
{
	left = nth;
	failed = false;
}

bool starve_over(void)
{
	left = 0;
	return failed;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}
