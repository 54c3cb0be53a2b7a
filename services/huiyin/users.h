/* A system user for each daemon: `huiyin up` started by root makes none of them run as root. Daemon NAME runs as huiyin-NAME in the group huiyin,
 * owns state/NAME (the notifier the outbox, too), reads huiyin.yaml through the group, and gets only the secrets that it needs, as systemd hands
 * them over: copies in run/credentials/NAME, named by $CREDENTIALS_DIRECTORY. keys/ stays root's.
 *
 *     users_look(&users, dir, &settings);              // whether it can be: changes nothing
 *     if (users.own) err = users_prepare(&users, &f);  // owners, modes, credentials
 *     ... in each child:  users_become(&users, name);  // then exec
 *     users_forget(&users);                            // all have ended: the copies go
 *
 * Where it can't be, `why` is one clause for people, and all daemons share the caller's user as they do for anybody else. */
#ifndef HUIYIN_USERS_H
#define HUIYIN_USERS_H

#include "files.h"
#include "huiyin.h"

#include <limits.h>
#include <sys/types.h>

#define USERS 4 /* in the order of huiyin_daemons[] */

struct users {
	bool root;                /* the caller is root */
	bool own;                 /* each daemon can run as its own user */
	char why[PATH_MAX + 512]; /* else why not; empty when the caller isn't root */
	char dir[PATH_MAX];       /* the installation, absolute */
	gid_t group;
	uid_t uid[USERS];
};

/* Tries, as each of the users, what its daemon has to reach: the installation's parents, the program, its share folder, the model, the port. */
void users_look(struct users *u, const char *dir, const struct settings *settings);
/* Gives each user what its daemon owns, and hands the secrets over. Only where users_look() said `own`, with no daemon running. */
int users_prepare(const struct users *u, struct hy_fault *f);
/* In a child: becomes the daemon's user for good, or ends the process. Clears a parent-death signal set before. */
void users_become(const struct users *u, const char *daemon);
/* Removes the credentials. */
void users_forget(const struct users *u);

#endif
