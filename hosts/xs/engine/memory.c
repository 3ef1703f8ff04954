// The heap of a machine, laid out and limited as on the device, and its measurement. Never gives more than the device has.

#include "engine.h"
#include <sys/mman.h>

#define SLOT 16 // bytes of a slot on the device, whatever this build's are

static char* reserveMemory(size_t size)
{
	void* address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
	if (address == MAP_FAILED) {
		fprintf(stderr, "no memory for the engine\n");
		_exit(ENDED_BY_PROTOCOL);
	}
	return address;
}

void openArea(Area* area, int limit, size_t reserve)
{
	memset(area, 0, sizeof(Area));
	area->limit = limit;
	area->chunks = reserveMemory(area->chunksSize = reserve);
	area->slots = reserveMemory(area->slotsSize = reserve);
}

void sealArea(Area* area)
{
	mprotect(area->chunks, area->chunksSize, PROT_READ);
	mprotect(area->slots, area->slotsSize, PROT_READ);
}

bool inArea(Area* area, void* address)
{
	char* p = address;
	return (area->chunks <= p && p < area->chunks + area->chunksSize) || (area->slots <= p && p < area->slots + area->slotsSize);
}

// Chunks grow upwards without a gap, as they do on the device.
void* fxAllocateChunks(txMachine* the, txSize size)
{
	Area* area = the->context;
	txBlock* block = the->firstBlock;
	char* address = block ? (char*)block->limit : area->chunks;
	if (area->limit && area->taken + size > area->limit)
		return NULL;
	if (address + size > area->chunks + area->chunksSize)
		return NULL;
	area->taken += size;
	return address;
}

void fxFreeChunks(txMachine* the, void* chunks)
{
}

// With one limit for both, slots may take the free end of the chunks after a collection. The first call is for the stack.
txSlot* fxAllocateSlots(txMachine* the, txSize count)
{
	Area* area = the->context;
	txSize size = count * SLOT;
	txSlot* result = (txSlot*)(area->slots + area->slotsUsed);
	if (area->limit && area->taken + size > area->limit) {
		txBlock* block = the->firstBlock;
		txSize need = area->taken + size - area->limit;
		fxCollect(the, XS_COMPACT_FLAG | XS_ORGANIC_FLAG);
		if (the->freeHeap)
			return (txSlot*)-1;
		if (block->limit - block->current < need)
			return NULL;
		block->limit -= need;
		the->maximumChunksSize -= need;
		area->taken -= need;
	}
	if (area->slotsUsed + count * sizeof(txSlot) > area->slotsSize)
		return NULL;
	area->taken += size;
	area->slotsUsed += count * sizeof(txSlot);
	return result;
}

void fxFreeSlots(txMachine* the, void* slots)
{
}

// Called at the end of every collection, when everything in use is alive (memory.c of XS is compiled to call it).
void fxCollected(txMachine* the, txSlot* frame)
{
	Area* area = the->context;
	int live = the->currentHeapCount * SLOT + the->currentChunksSize;
	// of a 64-bit engine's chunks, a 32-bit engine has at least half the bytes (see Engine.wide in build.ts)
	int least = the->currentHeapCount * SLOT + the->currentChunksSize / (sizeof(txSlot) / SLOT);
	area->collections++;
	if (area->livePeak < live)
		area->livePeak = live;
	if (area->liveLeast < least)
		area->liveLeast = least;
	if (area->liveSlotsPeak < the->currentHeapCount)
		area->liveSlotsPeak = the->currentHeapCount;
	if (area->liveChunksPeak < the->currentChunksSize)
		area->liveChunksPeak = the->currentChunksSize;
}

void printMemory(Text* text, txMachine* the)
{
	Area* area = the->context;
	print(text, "{\"slotBytes\":%d,\"area\":%d,\"taken\":%d", (int)sizeof(txSlot), area->limit, area->taken);
	print(text, ",\"slots\":{\"used\":%d,\"peak\":%d,\"size\":%d}", the->currentHeapCount, the->peakHeapCount, the->maximumHeapCount);
	print(text, ",\"chunks\":{\"used\":%d,\"peak\":%d,\"size\":%d}", the->currentChunksSize, the->peakChunksSize, the->maximumChunksSize);
#if mxStress
	print(text, ",\"live\":{\"peak\":%d,\"least\":%d,\"slots\":%d,\"chunks\":%d}", area->livePeak, area->liveLeast, area->liveSlotsPeak, area->liveChunksPeak);
#endif
	// as XS notes it, when functions return; what lies beyond may have been borrowed by a conversion or a regular expression
	print(text, ",\"stack\":{\"peak\":%d,\"size\":%d}", (int)(the->stackTop - the->stackPeak), (int)(the->stackTop - the->stackBottom));
	print(text, ",\"tables\":%d", (int)((the->keyCount - the->keyOffset + the->nameModulo + the->symbolModulo + the->aliasCount) * 4));
	print(text, ",\"collections\":%d}", area->collections);
}
