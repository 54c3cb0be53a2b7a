/* The HTTP door. */
#include "client/inside.h"

static int open_web(struct hy_client *c, struct hy_fault *f)
{
	(void)c;
	return hy_fail(f, HY_BAD_INPUT, "not built yet");
}
static void close_web(struct hy_client *c)
{
	(void)c;
}
static int64_t pump_web(struct hy_client *c, int64_t now_ms)
{
	(void)c;
	(void)now_ms;
	return -1;
}
const struct door door_web = { open_web, close_web, pump_web };
