/* Blocks that are filled from the front and kept for the next round, up to KEEP bytes: a step's messages come and go
 * without a call to malloc each. */
#include "wire/inside.h"

#include <stdlib.h>

enum { FIRST_ROOM = 64 << 10, LARGEST_ROOM = 1 << 20, KEEP = 8 << 20, ALIGN = 16 };
#define LIMIT_DEFAULT ((size_t)16 << 20)

struct arena_block {
	struct arena_block *next;
	size_t room, used;
	_Alignas(ALIGN) uint8_t data[];
};

struct hy_arena {
	struct arena_block *first, *current;
	size_t taken, limit; /* bytes handed out, and how many may be */
	bool starved;
};

static struct arena_block *block_new(size_t room)
{
	struct arena_block *b = malloc(sizeof(*b) + room);
	if (b)
		*b = (struct arena_block){ .room = room };
	return b;
}

int hy_arena_open(struct hy_arena **out, size_t limit_bytes)
{
	struct hy_arena *a = malloc(sizeof(*a));
	struct arena_block *b = block_new(FIRST_ROOM);
	*out = NULL;
	if (!a || !b) {
		free(a);
		free(b);
		return HY_NO_MEMORY;
	}
	*a = (struct hy_arena){ .first = b, .current = b, .limit = limit_bytes ? limit_bytes : LIMIT_DEFAULT };
	*out = a;
	return HY_OK;
}

struct hy_arena *hy_arena_new(size_t limit_bytes)
{
	struct hy_arena *a;
	if (hy_arena_open(&a, limit_bytes) != HY_OK)
		hy_panic("no memory for an arena");
	return a;
}

/* A block behind the current one with room for `size`. */
static bool advance(struct hy_arena *a, size_t size)
{
	struct arena_block *next = a->current->next;
	if (!next || next->room < size) {
		size_t room = a->current->room < LARGEST_ROOM ? a->current->room * 2 : LARGEST_ROOM;
		struct arena_block *b = block_new(size > room ? size : room);
		if (!b) {
			a->starved = true;
			return false;
		}
		b->next = next;
		a->current->next = b;
		next = b;
	}
	next->used = 0;
	a->current = next;
	return true;
}

void *hy_arena_get(struct hy_arena *a, size_t size)
{
	if (size > a->limit - a->taken)
		return NULL;
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (size > a->current->room - a->current->used && !advance(a, size))
		return NULL;
	void *got = a->current->data + a->current->used;
	a->current->used += size;
	a->taken = size > a->limit - a->taken ? a->limit : a->taken + size;
	return got;
}

char *hy_arena_text(struct hy_arena *a, struct hy_bytes text)
{
	char *copy = hy_arena_get(a, text.size + 1);
	if (!copy)
		return NULL;
	if (text.size)
		memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	return copy;
}

void hy_arena_reset(struct hy_arena *a)
{
	a->current = a->first;
	a->first->used = 0;
	a->taken = 0;
	a->starved = false;
	size_t kept = 0;
	for (struct arena_block **at = &a->first; *at;) {
		struct arena_block *b = *at;
		kept += b->room;
		if (b == a->first || kept <= KEEP) {
			at = &b->next;
		} else {
			*at = b->next;
			free(b);
		}
	}
}

struct arena_mark arena_mark(const struct hy_arena *a)
{
	return (struct arena_mark){ a->current, a->current->used, a->taken };
}

void arena_rewind(struct hy_arena *a, struct arena_mark mark)
{
	a->current = mark.block;
	a->current->used = mark.used;
	a->taken = mark.taken;
}

bool arena_starved(const struct hy_arena *a)
{
	return a->starved;
}

void hy_arena_free(struct hy_arena **a)
{
	if (!*a)
		return;
	for (struct arena_block *b = (*a)->first, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(*a);
	*a = NULL;
}
