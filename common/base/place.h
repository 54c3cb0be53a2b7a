/* Where the files stand that come with the programs: PREFIX/share/huiyin for a program in PREFIX/bin, in the build tree as in an
 * installation. */
#ifndef HY_BASE_PLACE_H
#define HY_BASE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/* The folder of the running program, "/usr/bin". */
bool hy_program_folder(char *out, size_t room);
/* share/huiyin/`relative` beside it; false when the path does not fit. Whether the file exists is not asked. */
bool hy_share_path(const char *relative, char *out, size_t room);

#endif
