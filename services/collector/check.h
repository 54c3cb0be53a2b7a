/* `huiyin-collector --tool check`: what POST /v1/feedback would say of items, without a store and without keeping anything. `huiyin import --dry-run` asks it. */
#ifndef COLLECTOR_CHECK_H
#define COLLECTOR_CHECK_H

/* Reads items from standard input, one a line; an empty line ends a batch. Then answers each item of the batch with a line: [] when it would be taken, else its
 * errors [{"pointer","detail"}]. Ids that came before and what is answered (in_reply_to) are not looked up. The exit code. */
int collector_check(void);

#endif
