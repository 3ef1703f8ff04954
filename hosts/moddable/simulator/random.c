// Random bytes from the computer's operating system, because the SDK's random numbers are predictable. Tested only on Linux.

#ifdef _WIN32
#define _CRT_RAND_S
#endif
#include <stdlib.h>
#ifdef __linux__
#include <sys/random.h>
#endif

#include "xsmc.h"

/** An ArrayBuffer of that many random bytes, at most 64. Throws when none are available. */
void fleet_random(xsMachine *the)
{
	uint8_t bytes[64];
	xsIntegerValue count = xsmcToInteger(xsArg(0));

	if (count < 0 || count > (xsIntegerValue)sizeof(bytes))
		xsRangeError("more random bytes than there are at a time");
#if defined(_WIN32)
	for (xsIntegerValue i = 0; i < count; i++) {
		unsigned int number;
		if (rand_s(&number))
			xsUnknownError("no random bytes");
		bytes[i] = (uint8_t)number;
	}
#elif defined(__linux__)
	// Up to 256 bytes are always returned at once (getrandom(2)).
	if (getrandom(bytes, count, 0) != count)
		xsUnknownError("no random bytes");
#else
	arc4random_buf(bytes, count);
#endif
	xsmcSetArrayBuffer(xsResult, bytes, count);
}
