/* Streams the lines of standard input into Huiyin. What has not arrived when it ends, or is killed, waits in the spool for the next start.
 *
 *     cc feedback.c $(pkg-config --cflags --libs huiyin) -o feedback
 *     ./feedback tcp://127.0.0.1:5570 huiyin/keys/app-default.key spool < lines.txt
 *
 * Beyond this machine tcp:// asks for CURVE: .curve_server is the text of the door's door.pub, .curve_secret that of shop.curve (huiyin keygen shop).
 */
#include <huiyin/client.h>
#include <stdio.h>
#include <string.h>

static void on_rejected(void *arg, const struct hy_client_rejection *r)
{
	(void)arg;
	fprintf(stderr, "refused: '%s': %s %s\n", r->text, r->pointer, r->detail);
}

int main(int argc, char **argv)
{
	char key[128], why[512], line[32768];
	FILE *file = argc == 4 ? fopen(argv[2], "r") : NULL;
	if (!file || !fgets(key, sizeof(key), file)) {
		fprintf(stderr, "usage: feedback URL KEY-FILE SPOOL < LINES\n");
		return 64;
	}
	fclose(file);
	key[strcspn(key, "\n")] = 0;

	struct hy_client *c;
	const struct hy_client_options *o =
		HY_CLIENT_OPTIONS(.url = argv[1], .key = key, .spool = argv[3], .on_rejected = on_rejected);
	if (hy_client_open_with(&c, o, why, sizeof(why)) != HY_CLIENT_OK) {
		fprintf(stderr, "%s\n", why);
		return 69;
	}
	while (fgets(line, sizeof(line), stdin)) {
		int result;
		line[strcspn(line, "\n")] = 0;
		/* This program may wait when memory is full. One that may not drops the item, or says it again later. */
		while ((result = hy_client_feedback(c, HY_CLIENT_FEEDBACK(.text = line, .channel = "script"))) ==
			HY_CLIENT_FULL)
			hy_client_flush(c, 100);
		if (result != HY_CLIENT_OK)
			fprintf(stderr, "not taken: '%s': %s\n", line, hy_client_strerror(result));
	}
	if (hy_client_flush(c, 2000) != HY_CLIENT_OK && hy_client_problem(c, why, sizeof(why)) == HY_CLIENT_OK)
		fprintf(stderr, "%s\n", why);
	int result = hy_client_close(&c); /* waits up to two seconds for the collector */
	printf("%s\n", hy_client_strerror(result));
	return result == HY_CLIENT_TIMEOUT ? 75 : 0;
}
