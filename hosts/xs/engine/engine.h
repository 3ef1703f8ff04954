// What the parts of the engine's host share: frames, memory, flash, device. None of it is device code.

#ifndef __ENGINE__
#define __ENGINE__

#include "xsAll.h"
#include "xsScript.h"

// How this process can end. hosts/xs/engine.ts names them; XS's own reasons are its XS_…_EXIT plus ENDED_BY_ENGINE.
enum {
	ENDED = 0,
	ENDED_BY_PROTOCOL = 1,
	ENDED_BY_RESTART = 2,
	ENDED_BY_POWER = 3,
	ENDED_BY_FLASH_WRITE = 4,
	ENDED_BY_PATIENCE = 5,
	ENDED_BY_ENGINE = 10,
};

// Kinds of frames that this side itself reads or writes; all others go to or come from device code. See hosts/xs/channel.ts.
enum {
	FRAME_MODULE = 1,
	FRAME_SEAL = 2,
	FRAME_BOOT = 3,
	FRAME_POWER_OFF = 4,
	FRAME_MEASURE = 5,
	FRAME_UNDEFINED = 6,
	FRAME_NUMBER = 7,
	FRAME_BYTES = 8,
	FRAME_ERROR = 9,
	FRAME_READY = 10,
	FRAME_ENDED = 11,
	FRAME_IDLE = 12,
	FRAME_LAST_WORDS = 13,
	FRAME_RESTART = 14,
	FRAME_RESOURCE = 15,
};

typedef struct {
	uint8_t kind;
	uint32_t id;
	double number;
	uint32_t size;
	char* bytes; // `size` bytes and a 0; valid until the next frame is read
} Frame;

void openFrames(void); // must be called first
void readFrame(Frame* frame); // ends the process when the other side is gone
void writeFrame(uint8_t kind, uint32_t id, double number, const void* bytes, uint32_t size);
void flushFrames(void);

// JSON text under construction
typedef struct {
	char text[8192];
	size_t length;
} Text;

void print(Text* text, const char* format, ...) __attribute__((format(printf, 2, 3)));
void printString(Text* text, const char* string);

// Where a machine's heap is and how large it may be. Sizes are the device's: a slot counts 16 bytes even in a 64-bit build.
typedef struct {
	int limit; // bytes for chunks and slots together, or 0 when the creation alone says how much
	int taken;
	char* chunks;
	size_t chunksSize;
	char* slots;
	size_t slotsSize;
	size_t slotsUsed;
	int livePeak; // most bytes alive at the end of any collection
	int liveLeast; // the same in a 32-bit engine, at least
	int liveSlotsPeak;
	int liveChunksPeak;
	int collections;
} Area;

void openArea(Area* area, int limit, size_t reserve);
void sealArea(Area* area);
bool inArea(Area* area, void* address);
void printMemory(Text* text, txMachine* the);

// Flash: the root machine, in which every module has been compiled and the preloaded ones have run.
extern txMachine* gxFlash;
void addModule(const char* name, const char* source, const char* map, bool preload);
void sealFlash(const txHostFunctionBuilder* natives, const char* const* names, int count);
const char* mainModule(void); // name of the first that is not preloaded: it runs at power-on
void printFlash(Text* text);
bool inFlash(void* address);

// One life of the device, from power-on; runs in a process of its own and never returns.
void runDevice(const char* settings) XS_FUNCTION_NORETURN;
void endDevice(int code, const char* reason, const char* detail) XS_FUNCTION_NORETURN;
void describeException(txMachine* the, char* detail, size_t size); // its stack, or what it is as text
extern txMachine* gxDevice;
extern const txHostFunctionBuilder gxNatives[];
extern const char* const gxNativeNames[];
extern const int gxNativeCount;

#endif
