// One life of the device: a machine cloned from flash into a small area of its own, which runs until it ends. Never outlives a
// failure that would have reset an ESP32; each such failure has an exit code of its own.

#include "engine.h"
#include <signal.h>

txMachine* gxDevice = NULL;
static Area gxArea;
static txSlot gxListener; // the device program's function for what Node sends
static bool gxEnding = false;

void endDevice(int code, const char* reason, const char* detail)
{
	Text text = { .length = 0 };
	if (gxEnding)
		_exit(code);
	gxEnding = true;
	print(&text, "{\"reason\":");
	printString(&text, reason);
	if (detail) {
		print(&text, ",\"detail\":");
		printString(&text, detail);
	}
	if (gxDevice) {
		print(&text, ",\"memory\":");
		printMemory(&text, gxDevice);
	}
	print(&text, "}");
	writeFrame(FRAME_LAST_WORDS, 0, code, text.text, text.length);
	flushFrames();
	_exit(code);
}

void describeException(txMachine* the, char* detail, size_t size)
{
	mxTry(the) {
		txSlot* exception;
		mxPush(mxException);
		exception = the->stack;
		if (mxIsReference(exception)) {
			mxPushSlot(exception);
			mxGetID(mxID(_stack));
			if (mxIsStringPrimitive(the->stack))
				exception = the->stack;
		}
		snprintf(detail, size, "%s", fxToString(the, exception));
	}
	mxCatch(the) {
		snprintf(detail, size, "an exception that cannot be shown");
	}
}

// The functions on the stack, deepest first, with the slots that each takes. Allocates nothing, so that it works when no memory
// is left.
static void describeFrames(txMachine* the, char* detail, size_t size)
{
	txSlot* frame;
	txSlot* top = the->stack;
	size_t length = 0;
	for (frame = the->frame; frame && length < size - 100; frame = frame->next) {
		const char* name = "";
		const char* file = NULL;
		int line = 0;
		txSlot* function = frame + 3;
		if (mxIsReference(function) && mxIsFunction(function->value.reference)) {
			txSlot* code = mxFunctionInstanceCode(function->value.reference);
			if (code->ID != XS_NO_ID)
				name = fxGetKeyName(the, code->ID);
		}
#ifdef mxDebug
		txSlot* environment = mxFrameToEnvironment(frame);
		if (!(frame->flag & XS_C_FLAG) && environment->ID != XS_NO_ID) {
			file = fxGetKeyName(the, environment->ID);
			line = environment->value.environment.line;
		}
#endif
		txSlot* bottom = frame + 5;
		length += snprintf(detail + length, size - length, "at %s", name[0] ? name : "(anonymous)");
		if (file)
			length += snprintf(detail + length, size - length, " (%.40s:%d)", file, line);
		length += snprintf(detail + length, size - length, ", %d slots\n", (int)(bottom - top));
		top = bottom;
	}
}

void fxAbort(txMachine* the, int status)
{
	static const char* const reasons[] = {
		"debugger", "out of memory", "stack overflow", "engine check failed", "stripped", "unhandled exception",
		"out of keys", "too much computation", "unhandled rejection",
	};
	char detail[4096] = "";
	if (gxEnding)
		_exit(ENDED_BY_ENGINE + status);
	if (status == XS_UNHANDLED_EXCEPTION_EXIT || status == XS_UNHANDLED_REJECTION_EXIT) {
		if (the == gxDevice)
			describeException(the, detail, sizeof(detail));
	}
	else if (the == gxDevice)
		describeFrames(the, detail, sizeof(detail));
	endDevice(ENDED_BY_ENGINE + status, reasons[status], detail[0] ? detail : NULL);
}

void fxCreateMachinePlatform(txMachine* the)
{
}

void fxDeleteMachinePlatform(txMachine* the)
{
}

void fxQueuePromiseJobs(txMachine* the)
{
	the->promiseJobs = 1;
}

// Firmware that mcconfig builds has no Function.name. XS's defaults are compiled to use this.
txSlot* fxNoFunctionName(txMachine* the, txSlot* instance, txID id, txIndex index, txID former, txString prefix)
{
	return C_NULL;
}

#ifdef pthread_getattr_np
// Where the C stack ends is not known: XS asks this in the variant `counted`, and then checks the C stack no more.
int pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes)
{
	return 1;
}
#endif

/* what device code calls */

typedef struct {
	uint8_t kind;
	uint32_t id;
	double number;
	const void* bytes;
	uint32_t size;
} Arguments;

// (kind, id?, number?, ArrayBuffer | Uint8Array | string?). The bytes are in the heap and valid until the next allocation.
static void getArguments(txMachine* the, Arguments* result)
{
	if (!the->sharedMachine)
		mxTypeError("native functions are not there while modules are preloaded");
	result->kind = mxArgc > 0 ? fxToInteger(the, mxArgv(0)) : 0;
	result->id = mxArgc > 1 ? fxToUnsigned(the, mxArgv(1)) : 0;
	result->number = mxArgc > 2 && !mxIsUndefined(mxArgv(2)) ? fxToNumber(the, mxArgv(2)) : 0;
	result->bytes = NULL;
	result->size = 0;
	if (mxArgc < 4 || mxIsUndefined(mxArgv(3)))
		return;
	if (mxIsReference(mxArgv(3))) {
		txSlot* slot = mxArgv(3)->value.reference->next;
		txSlot* view = NULL;
		if (slot && slot->kind == XS_TYPED_ARRAY_KIND) {
			view = slot->next;
			slot = view->next->value.reference->next;
		}
		if (slot && slot->kind == XS_ARRAY_BUFFER_KIND)
			result->bytes = slot->value.arrayBuffer.address;
		else if (slot && slot->kind == XS_HOST_KIND && slot->next && slot->next->kind == XS_BUFFER_INFO_KIND)
			result->bytes = slot->value.host.data;
		else
			mxTypeError("no bytes");
		result->size = slot->next->value.bufferInfo.length;
		if (view) {
			result->bytes = (const char*)result->bytes + view->value.dataView.offset;
			result->size = view->value.dataView.size >= 0 ? view->value.dataView.size : result->size - view->value.dataView.offset;
		}
		return;
	}
	result->bytes = fxToString(the, mxArgv(3));
	result->size = (uint32_t)strlen(result->bytes);
}

// The frame holds the error's code (or nothing), 0, its message.
static void throwError(txMachine* the, Frame* frame)
{
	char* code = frame->bytes;
	char* message = code + strlen(code) + 1;
	mxPush(mxErrorConstructor);
	mxNew();
	mxPushStringC(message);
	mxRunCount(1);
	if (code[0]) {
		txSlot* error = the->stack;
		mxPushStringC(code);
		mxPushSlot(error);
		mxSetID(fxID(the, "code"));
		mxPop();
	}
	mxException = *the->stack;
	fxThrow(the, C_NULL, 0);
}

// tell(kind, id, number, bytes): no answer
static void tell(txMachine* the)
{
	Arguments arguments;
	getArguments(the, &arguments);
	writeFrame(arguments.kind, arguments.id, arguments.number, arguments.bytes, arguments.size);
	if (arguments.kind == FRAME_RESTART)
		endDevice(ENDED_BY_RESTART, "restart", NULL);
}

// ask(kind, id, number, bytes): undefined, a number, an ArrayBuffer; or throws the error that the other side answers
static void ask(txMachine* the)
{
	Arguments arguments;
	Frame frame;
	getArguments(the, &arguments);
	writeFrame(arguments.kind, arguments.id, arguments.number, arguments.bytes, arguments.size);
	readFrame(&frame);
	switch (frame.kind) {
	case FRAME_UNDEFINED:
		break;
	case FRAME_NUMBER:
		fxNumber(the, mxResult, frame.number);
		break;
	case FRAME_BYTES:
		fxArrayBuffer(the, mxResult, frame.bytes, frame.size, -1);
		break;
	case FRAME_RESOURCE: { // like the SDK's Resource: the bytes are in flash, and only the object is in the heap
		char* bytes = malloc(frame.size);
		memcpy(bytes, frame.bytes, frame.size);
		fxNewHostObject(the, C_NULL);
		mxPullSlot(mxResult);
		fxSetHostBuffer(the, mxResult, bytes, frame.size);
		fxPetrifyHostBuffer(the, mxResult);
		break;
	}
	case FRAME_ERROR:
		throwError(the, &frame);
		break;
	case FRAME_POWER_OFF:
		endDevice(ENDED_BY_POWER, "power cut", NULL);
	default:
		endDevice(ENDED_BY_PROTOCOL, "protocol", "no answer to a question");
	}
}

// listen(function(kind, id, number, ArrayBuffer | undefined))
static void setListener(txMachine* the)
{
	if (!the->sharedMachine)
		mxTypeError("native functions are not there while modules are preloaded");
	fxForget(the, &gxListener);
	gxListener = *mxArgv(0);
	fxRemember(the, &gxListener);
}

const txHostFunctionBuilder gxNatives[] = { { tell, 4, XS_NO_ID }, { ask, 4, XS_NO_ID }, { setListener, 1, XS_NO_ID } };
const char* const gxNativeNames[] = { "tell", "ask", "listen" };
const int gxNativeCount = 3;

/* life */

static void settle(txMachine* the)
{
	while (the->promiseJobs) {
		the->promiseJobs = 0;
		fxRunPromiseJobs(the);
	}
	fxEndJob(the);
	fxCheckUnhandledRejections(the, 1);
}

static void start(txMachine* the)
{
	fxBeginHost(the);
	mxTry(the) {
		mxPushStringX((txString)mainModule());
		fxAwaitImport(the, XS_IMPORT_NAMESPACE);
		mxPop();
	}
	mxCatch(the) {
		fxAbort(the, XS_UNHANDLED_EXCEPTION_EXIT);
	}
	fxEndHost(the);
	settle(the);
}

static void dispatch(txMachine* the, Frame* frame)
{
	if (!mxIsReference(&gxListener))
		endDevice(ENDED_BY_PROTOCOL, "protocol", "the device program does not listen");
	fxBeginHost(the);
	mxTry(the) {
		txSlot* bytes;
		mxPushUndefined();
		bytes = the->stack;
		if (frame->size)
			fxArrayBuffer(the, bytes, frame->bytes, frame->size, -1);
		mxPushUndefined();
		mxPushSlot(&gxListener);
		mxCall();
		mxPushInteger(frame->kind);
		mxPushUnsigned(frame->id);
		mxPushNumber(frame->number);
		mxPushSlot(bytes);
		mxRunCount(4);
		mxPop();
	}
	mxCatch(the) {
		fxAbort(the, XS_UNHANDLED_EXCEPTION_EXIT);
	}
	fxEndHost(the);
	settle(the);
}

static void onFault(int signal, siginfo_t* info, void* context)
{
	if (inFlash(info->si_addr))
		endDevice(ENDED_BY_FLASH_WRITE, "write to flash", NULL);
	_exit(128 + signal);
}

// Nothing that a device does takes this long, even with a collection at every allocation.
#define PATIENCE 600 // seconds: against a program that never ends, not one on a slow machine

static void onAlarm(int signal)
{
	char detail[4096] = "";
	describeFrames(gxDevice, detail, sizeof(detail));
	endDevice(ENDED_BY_PATIENCE, "runs on", detail);
}

#if mxStress
extern int gxStress;
#endif

void runDevice(const char* settings)
{
	int values[7];
	txCreation creation = { .nameModulo = 127, .symbolModulo = 127, .parserBufferSize = 1024, .parserTableModulo = 127 };
	struct sigaction action;
	Frame frame;
	if (sscanf(settings, "%d %d %d %d %d %d %d", values, values + 1, values + 2, values + 3, values + 4, values + 5, values + 6) != 7)
		endDevice(ENDED_BY_PROTOCOL, "protocol", "settings of the machine");
	creation.initialChunkSize = values[0];
	creation.incrementalChunkSize = values[1];
	creation.initialHeapCount = values[2];
	creation.incrementalHeapCount = values[3];
	creation.stackCount = values[4];
	creation.initialKeyCount = values[5];
	creation.incrementalKeyCount = 32;
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = onFault;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	signal(SIGALRM, onAlarm);
	gxListener.kind = XS_UNDEFINED_KIND;
	// the area's limit covers the stack as well, as on the device
	openArea(&gxArea, values[6], 8 << 20);
	gxDevice = fxCloneMachine(&creation, gxFlash, "device", &gxArea);
	if (!gxDevice)
		endDevice(ENDED_BY_ENGINE + XS_NOT_ENOUGH_MEMORY_EXIT, "out of memory", "at power-on");
#if mxStress
	gxStress = 1;
#endif
	alarm(PATIENCE);
	start(gxDevice);
	for (;;) {
		alarm(0);
		writeFrame(FRAME_IDLE, 0, 0, NULL, 0);
		readFrame(&frame);
		alarm(PATIENCE);
		if (frame.kind == FRAME_POWER_OFF)
			endDevice(ENDED_BY_POWER, "power cut", NULL);
		else if (frame.kind == FRAME_MEASURE) {
			Text text = { .length = 0 };
			if (frame.number)
				fxCollectGarbage(gxDevice);
			printMemory(&text, gxDevice);
			writeFrame(FRAME_MEASURE, 0, 0, text.text, text.length);
		}
		else
			dispatch(gxDevice, &frame);
	}
}
