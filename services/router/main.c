#include "router/router.h"

int main(int argc, char **argv)
{
	struct router self = { 0 };
	return hy_service_main(argc, argv, &router_service, &self);
}
