// The clock of a simulated board, which may be wrong: the environment variable FLEET_CLOCK_OFFSET is the number of seconds
// that it is ahead, or behind if negative. Replaces the C library's function within the program only, which is linked with
// -Bsymbolic (the SDK's tools/mcconfig/make.lin.mk), so it affects everything there that reads the time: Date, Time and TLS.
// Linux only.

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
