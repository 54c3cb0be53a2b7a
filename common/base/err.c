/* One table of codes; everything said about a code is read from its row. */
#include "base/err.h"

#include "base/bytes.h"
#include "base/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

struct row {
	int err;
	enum hy_fate fate;
	const char *symbol, *text;
};

static const struct row rows[] = {
#define ROW(name, code, fate, text) { code, fate, #name, text },
	HY_ERR_TABLE(ROW)
#undef ROW
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]), NAME_MAX_SIZE = 24 };

/* The symbols without their HY_, in lower case: the preprocessor can't, and a second list would drift. */
static char names[ROWS][NAME_MAX_SIZE];
static pthread_once_t names_once = PTHREAD_ONCE_INIT;

static void make_names(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		const char *from = rows[i].symbol + 3;
		for (size_t n = 0; from[n] && n < NAME_MAX_SIZE - 1; n++)
			names[i][n] = from[n] >= 'A' && from[n] <= 'Z' ? (char)(from[n] - 'A' + 'a') : from[n];
	}
}

static const struct row *row_of(int err)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].err == err)
			return &rows[i];
	return NULL;
}

const char *hy_err_text(int err)
{
	const struct row *r = row_of(err);
	return r ? r->text : "unknown error";
}

const char *hy_err_name(int err)
{
	const struct row *r = row_of(err);
	if (!r)
		return "unknown";
	pthread_once(&names_once, make_names);
	return names[r - rows];
}

enum hy_fate hy_err_fate(int err)
{
	const struct row *r = row_of(err);
	return r ? r->fate : HY_STOP;
}

int hy_err_exit(int err)
{
	switch (err) {
	case HY_OK:
		return EX_OK;
	case HY_USAGE:
		return EX_USAGE;
	case HY_BAD_INPUT:
	case HY_TOO_LARGE:
	case HY_BAD_STATE:
	case HY_CONFLICT:
	case HY_DAMAGED:
		return EX_DATAERR;
	case HY_NOT_FOUND:
	case HY_ERASED:
		return EX_NOINPUT;
	case HY_UNREACHABLE:
		return EX_UNAVAILABLE;
	case HY_EXISTS:
	case HY_FULL:
		return EX_CANTCREAT;
	case HY_IO:
		return EX_IOERR;
	case HY_BUSY:
	case HY_NO_MEMORY:
	case HY_TIMEOUT:
	case HY_IN_USE:
		return EX_TEMPFAIL;
	case HY_FORBIDDEN:
		return EX_NOPERM;
	case HY_CONFIG:
		return EX_CONFIG;
	default:
		return EX_SOFTWARE;
	}
}

int hy_err_from_errno(int errno_value)
{
	switch (errno_value) {
	case 0:
		return HY_OK;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return HY_FULL;
	case ENOMEM:
		return HY_NO_MEMORY;
	case ENOENT:
	case ENOTDIR:
	case ESRCH:
		return HY_NOT_FOUND;
	case EEXIST:
		return HY_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:
		return HY_FORBIDDEN;
	case EAGAIN:
	case EINTR:
	case EBUSY:
	case EMFILE: /* a descriptor comes free again */
	case ENFILE:
		return HY_BUSY;
	case EMSGSIZE:
	case ENAMETOOLONG:
	case E2BIG:
		return HY_TOO_LARGE;
	case ETIMEDOUT:
		return HY_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETUNREACH:
	case ENETDOWN:
	case ENOTCONN:
	case EPIPE:
		return HY_UNREACHABLE;
	case EADDRINUSE:
	case ETXTBSY:
		return HY_IN_USE;
	default:
		return HY_IO;
	}
}

int hy_fail(struct hy_fault *f, int err, const char *fmt, ...)
{
	if (!f)
		return err;
	/* Formatted aside: callers wrap a fault by passing its own text as an argument. */
	char text[sizeof(f->text)];
	va_list ap;
	va_start(ap, fmt);
	int wanted = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (wanted < 0)
		text[0] = '\0';
	size_t size = strlen(text);
	if (wanted >= (int)sizeof(text)) {
		/* The cut may have gone through a character: take its beginning off, too. */
		size_t at = size;
		while (at > 0 && size - at < 3 && ((uint8_t)text[at - 1] & 0xc0) == 0x80)
			at--;
		if (at > 0 && ((uint8_t)text[at - 1] & 0xc0) == 0xc0 &&
			!hy_utf8_valid(hy_bytes(text + at - 1, size - at + 1)))
			size = at - 1;
	}
	f->err = err;
	memcpy(f->text, text, size);
	f->text[size] = '\0';
	return err;
}

void hy_panic(const char *fmt, ...)
{
	char text[1024];
	int size = snprintf(text, sizeof(text), "panic: ");
	va_list ap;
	va_start(ap, fmt);
	int more = vsnprintf(text + size, sizeof(text) - (size_t)size, fmt, ap);
	va_end(ap);
	size += more > 0 ? more : 0;
	if (size > (int)sizeof(text) - 1)
		size = sizeof(text) - 1;
	text[size++] = '\n'; /* in place of the NUL */
	ssize_t ignored = write(STDERR_FILENO, text, (size_t)size);
	(void)ignored;
	abort();
}
