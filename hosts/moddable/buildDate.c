// The day this firmware was compiled, in the compiler's format: "Nov 22 2026".

#include "xsmc.h"

void fleet_buildDate(xsMachine *the)
{
	xsmcSetString(xsResult, __DATE__);
}
