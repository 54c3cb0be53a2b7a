/* The top-level names of huiyin.yaml: one list, so that each daemon knows another's part from a typo. */
#include "conf/inside.h"

#define PARTS(X)                                                                                                       \
	X(public_url, "the address under which customers reach the pages; links in notices begin with it")             \
	X(project, "the name of the one project, when there is only one")                                              \
	X(projects, "several projects in one installation, each with its name and number")                             \
	X(store, "the stores of all daemons: how large, how full")                                                     \
	X(log, "what is logged, and how")                                                                              \
	X(http, "the collector's public HTTP door")                                                                    \
	X(door, "the collector's public ZeroMQ door: where it listens, who may come")                                  \
	X(zmq, "the collector's public ZeroMQ door, and the addresses of the streams")                                 \
	X(keys, "API keys: name, hash, project, scopes, rate, curve")                                                  \
	X(limits, "the largest sizes and rates that are accepted")                                                     \
	X(dedupe, "how long the client's own ids are remembered")                                                      \
	X(mapping, "which events of other systems are feedback, and where in them the words stand")                    \
	X(retain, "how long a stream keeps records that all readers have passed")                                      \
	X(keep, "how long finished work stays before it is folded into counters")                                      \
	X(readers, "outside readers of streams, and how far each may fall behind")                                     \
	X(classifier, "how texts are understood")                                                                      \
	X(departments, "who acts: name, queue, working hours, where its mail goes")                                    \
	X(rules, "which feedback goes to which department; the first that fits decides")                               \
	X(follow_up, "when and how customers are asked whether it helped")                                             \
	X(notify, "whom to tell, when, and how often at most")                                                         \
	X(channels, "the ways by which notices leave")                                                                 \
	X(templates, "where the words of notices are kept")                                                            \
	X(workers, "threads for the pure work")                                                                        \
	X(contact, "contact data of customers: the sealing key, what is kept")                                         \
	X(smtp, "the mail server that takes the mail")                                                                 \
	X(webhooks, "addresses that are told of events")                                                               \
	X(robots, "chat robots of teams")                                                                              \
	X(trackers, "issue trackers that tickets are copied to")                                                       \
	X(hooks, "named systems that send feedback in by their own webhooks")                                          \
	X(calendars, "working days and hours, holidays")                                                               \
	X(sla, "how soon tickets of each urgency are to be answered and resolved")                                     \
	X(survey, "questions that are asked without being asked for")                                                  \
	X(boards, "public boards of ideas and votes")                                                                  \
	X(mentions, "what is said about the product elsewhere")                                                        \
	X(console, "the staff's pages")

const struct hy_conf_part hy_conf_part_table[] = {
#define PART_ROW(name, about) { #name, about },
	PARTS(PART_ROW){ NULL, NULL }
};

const char *const hy_conf_parts[] = {
#define PART_NAME(name, about) #name,
	PARTS(PART_NAME) NULL
};
