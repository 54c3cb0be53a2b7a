#include "classifier.h"
#include "tool.h"

int main(int argc, char **argv)
{
	struct classifier self = { 0 };
	if (argc > 1 && strcmp(argv[1], "--tool") == 0)
		return classifier_tool(argc, argv);
	return hy_service_main(argc, argv, &classifier_service, &self);
}
