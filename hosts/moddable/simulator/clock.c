// The clock of a simulated board, which may be wrong: FLEET_CLOCK_OFFSET in the environment is how many seconds it is ahead, or behind
// when negative. Takes the place of the C library's function in the program alone, which is linked with -Bsymbolic (the SDK's
// tools/mcconfig/make.lin.mk), and there for all that ask for the time: Date, Time and TLS. Linux only.

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec time;
	const char *offset = getenv("FLEET_CLOCK_OFFSET");
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &time);
	now->tv_sec = time.tv_sec + (offset ? atol(offset) : 0);
	now->tv_usec = time.tv_nsec / 1000;
	return 0;
}
