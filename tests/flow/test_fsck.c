// link: hy_ring
#include "support/ring.h"

#include "base/clock.h"

#include <signal.h>

/* `huiyin fsck` on a running installation, and on one whose disk forgot a bit. */

static int open_ring(void **state)
{
	struct ring *r = ring_open(NULL);
	*state = r;
	ring_start_all(r);
	return ring_ready(r) ? 0 : -1;
}

static int close_ring(void **state)
{
	ring_close(*state);
	return 0;
}

static void say_some(struct ring *r)
{
	for (int i = 0; i < 20; i++) {
		char text[128];
		snprintf(text, sizeof(text), "{\"text\":\"MARKEDWORD number %d crashes the app\"}", i);
		free(ring_say(r, text));
	}
	ring_settle(r);
}

static void a_running_installation_is_sound(void **state)
{
	char *out;
	say_some(*state);
	assert_int_equal(ring_huiyin(*state, "fsck --json", &out), 0);
	json_t *j = json_loads(out, 0, NULL);
	assert_true(json_is_true(json_object_get(j, "sound")));
	assert_int_equal(json_array_size(json_object_get(j, "stores")), STATIONS);
	json_decref(j);
	free(out);
}

/* One bit of a word that stands in the collector's log. */
static void flip_a_bit(struct ring *r)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/state/collector/data.mdb", r->dir);
	FILE *f = fopen(path, "r+");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size_t size = (size_t)ftell(f);
	char *all = malloc(size);
	assert_non_null(all);
	rewind(f);
	assert_int_equal(fread(all, 1, size, f), size);
	char *at = memmem(all, size, "MARKEDWORD number 7", 19);
	assert_non_null(at);
	for (; at; at = memmem(at + 1, size - (size_t)(at + 1 - all), "MARKEDWORD number 7",
			   19)) { /* old pages hold copies */
		fseek(f, at - all, SEEK_SET);
		fputc(*at ^ 1, f);
	}
	fclose(f);
	free(all);
}

static void a_flipped_bit_is_found_and_the_good_neighbours_are_still_served(void **state)
{
	struct ring *r = *state;
	char *out;
	say_some(r);
	for (int s = 0; s < STATIONS; s++)
		ring_kill(r, (enum station)s, SIGTERM);
	flip_a_bit(r);
	assert_int_equal(ring_huiyin(r, "fsck", &out), 1);
	assert_non_null(strstr(out, "1 records fail their check"));
	free(out);
	assert_int_equal(ring_huiyin(r, "fsck --quarantine", NULL), 1);
	ring_start_all(r);
	assert_true(ring_ready(r));
	free(ring_say(r, "{\"text\":\"The app is well otherwise\"}"));
	ring_settle(r);
}

static void quarantine_wants_the_daemons_at_rest(void **state)
{
	char *out;
	assert_int_equal(ring_huiyin(*state, "fsck --quarantine", &out), 1);
	assert_non_null(strstr(out, "is in use by process"));
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_running_installation_is_sound, open_ring, close_ring),
		cmocka_unit_test_setup_teardown(
			a_flipped_bit_is_found_and_the_good_neighbours_are_still_served, open_ring, close_ring),
		cmocka_unit_test_setup_teardown(quarantine_wants_the_daemons_at_rest, open_ring, close_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
