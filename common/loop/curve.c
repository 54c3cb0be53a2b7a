/* Pairs of keys for CURVE. */
#include "loop/loop.h"

#include <zmq.h>

int hy_curve_make(char public_key[static HY_CURVE_TEXT], char secret[static HY_CURVE_TEXT])
{
	return zmq_curve_keypair(public_key, secret) == 0 ? HY_OK : HY_IO;
}

/* Not every decoder minds a byte that is no digit: this looks first. */
bool hy_curve_good(const char *key)
{
	static const char digits[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
	uint8_t plain[32];
	return strlen(key) == HY_CURVE_TEXT - 1 && strspn(key, digits) == HY_CURVE_TEXT - 1 &&
	       zmq_z85_decode(plain, key);
}

int hy_curve_public(const char *secret, char public_key[static HY_CURVE_TEXT])
{
	return hy_curve_good(secret) && zmq_curve_public(public_key, secret) == 0 ? HY_OK : HY_BAD_INPUT;
}
