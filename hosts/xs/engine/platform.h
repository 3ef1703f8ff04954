// What the XS sources need to know of the machine that they are compiled for. All of them include it; it declares no code of ours.

#ifndef __ENGINE_PLATFORM__
#define __ENGINE_PLATFORM__

#undef mxLittleEndian
#define mxLittleEndian 1
#ifdef __APPLE__
	#undef mxMacOSX
	#define mxMacOSX 1
#else
	#undef mxLinux
	#define mxLinux 1
#endif

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define mxUseGCCAtomics 1
#define mxUsePOSIXThreads 1
#define XS_FUNCTION_NORETURN __attribute__((noreturn))

// the promise queue wants to run; the three others belong to Atomics.wait, which no device code uses
#define mxMachinePlatform \
	int promiseJobs; \
	void* waiterCondition; \
	void* waiterData; \
	txMachine* waiterLink;

#define mxUseDefaultBuildKeys 1
#define mxUseDefaultParseScript 1
#define mxUseDefaultSharedChunks 1
#define mxUseDefaultDebug 1

#endif
