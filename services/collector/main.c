#include "collector.h"

int main(int argc, char **argv)
{
	struct collector self = { 0 };
	return hy_service_main(argc, argv, &collector_service, &self);
}
