/* Memory that runs out where a test says so, to see that what we promise holds at every single allocation:
 *     for (long n = 1; starve_at(n), work(), starve_over(); n++) ...
 * fails the n-th allocation that our own code makes on this thread, and ends when the work needs fewer than n. Libraries keep
 * their memory. Linking `hy_starve` puts it between our code and malloc(), calloc() and realloc(). */
#ifndef HY_TESTS_STARVE_H
#define HY_TESTS_STARVE_H

#include <stdbool.h>

void starve_at(long nth); /* the nth from now fails, 1 = the next; those behind it are given again */
bool starve_over(void); /* no more of that; whether it came to it */

#endif
