/* huiyin-notifier: everybody who raised something is told what became of it. */
#include "notifier.h"

int main(int argc, char **argv)
{
	struct notifier self = { 0 };
	return hy_service_main(argc, argv, &notifier_service, &self);
}
