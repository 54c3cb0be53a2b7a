#include "check.h"
#include "collector.h"

int main(int argc, char **argv)
{
	struct collector self = { 0 };
	if (argc == 3 && strcmp(argv[1], "--tool") == 0 && strcmp(argv[2], "check") == 0)
		return collector_check();
	return hy_service_main(argc, argv, &collector_service, &self);
}
