// SPDX-License-Identifier: GPL-2.0-only
/* KTAP for test programs in C. */
#include "ktap.h"

unsigned int ktap_failed_checks;

int ktap_main(const struct ktap_case *cases, unsigned int nr)
{
	unsigned int i, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", nr);
	for (i = 0; i < nr; i++) {
		ktap_failed_checks = 0;
		cases[i].run();
		failed += !!ktap_failed_checks;
		printf("%sok %u %s\n", ktap_failed_checks ? "not " : "", i + 1, cases[i].name);
	}
	return failed ? 1 : 0;
}
