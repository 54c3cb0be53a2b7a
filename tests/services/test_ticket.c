// link: hy_router
#include "support/test.h"

#include "router/ticket.h"

/* The whole table, said once more the way a person would: per place, what each verb leads to; "" = refused. */
static const struct {
	const char *place;
	int number;
	const char *assign, *start, *wait, *resolve, *decline, *reopen, *merge, *join, *no, *confirm, *close;
} expected[] = {
	{ "new", 1, "assigned", "in_progress", "", "resolved", "declined", "", "duplicate", "new", "new", "", "" },
	{ "assigned", 2, "assigned", "in_progress", "", "resolved", "declined", "", "duplicate", "assigned", "assigned",
		"", "" },
	{ "in_progress", 3, "assigned", "", "waiting", "resolved", "declined", "", "duplicate", "in_progress",
		"in_progress", "", "" },
	{ "waiting", 4, "assigned", "in_progress", "", "resolved", "declined", "", "duplicate", "waiting", "waiting",
		"", "" },
	{ "resolved", 5, "", "", "", "", "", "reopened", "", "", "reopened", "confirmed", "closed" },
	{ "confirmed", 6, "", "", "", "", "", "", "", "", "", "", "" },
	{ "closed", 7, "", "", "", "", "", "", "", "", "", "", "" },
	{ "reopened", 8, "assigned", "in_progress", "", "resolved", "declined", "", "duplicate", "reopened", "reopened",
		"", "" },
	{ "declined", 9, "", "", "", "", "", "reopened", "", "", "reopened", "", "declined" },
	{ "duplicate", 10, "", "", "", "", "", "", "", "", "", "", "" },
	{ "declined for good", TICKET_DECLINED_FINAL, "", "", "", "", "", "", "", "", "", "", "" },
};

static void every_verb_in_every_state_does_what_the_table_says(void **state)
{
	(void)state;
	assert_int_equal(sizeof(expected) / sizeof(expected[0]), TICKET_PLACES - 1);
	for (size_t i = 0; i < TICKET_PLACES - 1; i++) {
		const char *const to[TICKET_VERBS] = { expected[i].assign, expected[i].start, expected[i].wait,
			expected[i].resolve, expected[i].decline, expected[i].reopen, expected[i].merge,
			expected[i].join, expected[i].no, expected[i].confirm, expected[i].close };
		for (int verb = 0; verb < TICKET_VERBS; verb++) {
			const char *refusal = "unset";
			int led = ticket_leads(expected[i].number, (enum ticket_verb)verb, &refusal);
			const char *name = led ? ticket_state_names[led] : "";
			if (strcmp(name, to[verb]) != 0)
				fail_msg("%s %s: expected \"%s\", got \"%s\"", ticket_verb_names[verb],
					expected[i].place, to[verb], name);
			if (led)
				assert_null(refusal);
			else
				assert_true(refusal && refusal[0]); /* every refusal has its words */
		}
	}
}

static void a_ticket_can_be_joined_only_while_it_is_open(void **state)
{
	(void)state;
	for (int place = 1; place < TICKET_PLACES; place++) {
		bool open = (place >= HUIYIN__TICKET_STATE__NEW && place <= HUIYIN__TICKET_STATE__WAITING) ||
			    place == HUIYIN__TICKET_STATE__REOPENED;
		assert_int_equal(ticket_leads(place, TICKET_JOIN, NULL) != 0, open);
	}
}

static void a_declined_ticket_whose_wait_is_over_is_in_a_place_of_its_own(void **state)
{
	(void)state;
	Huiyin__Router__Ticket row = HUIYIN__ROUTER__TICKET__INIT;
	struct ticket k = { .row = &row };
	row.state = HUIYIN__TICKET_STATE__DECLINED;
	assert_int_equal(ticket_place(&k), HUIYIN__TICKET_STATE__DECLINED);
	assert_true(ticket_can(&k, TICKET_NO));
	row.final = true;
	assert_int_equal(ticket_place(&k), TICKET_DECLINED_FINAL);
	assert_false(ticket_can(&k, TICKET_NO));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verb_in_every_state_does_what_the_table_says),
		cmocka_unit_test(a_ticket_can_be_joined_only_while_it_is_open),
		cmocka_unit_test(a_declined_ticket_whose_wait_is_over_is_in_a_place_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
