// The root machine, which stands for flash: compiles every module, runs the preloaded ones, is frozen, and is only read then.

#include "engine.h"
#include <sys/mman.h>

typedef struct Module Module;
struct Module {
	Module* next;
	char* name;
	char* source;
	char* map;
	bool preload;
	txScript* script;
};

static Module* gxFirstModule = NULL;
static Module** gxLastModule = &gxFirstModule;
static Area gxFlashArea;
static char* gxCode = NULL; // bytecode of all modules
static size_t gxCodeSize = 0;
static const size_t gxCodeCapacity = 4 << 20;
static int gxUnfrozen = 0;
txMachine* gxFlash = NULL;

static void refuse(const char* name, const char* why)
{
	Text text = { .length = 0 };
	print(&text, "{\"error\":");
	printString(&text, why);
	print(&text, ",\"module\":");
	printString(&text, name);
	print(&text, "}");
	writeFrame(FRAME_READY, 0, 0, text.text, text.length);
	flushFrames();
	_exit(ENDED_BY_PROTOCOL);
}

void addModule(const char* name, const char* source, const char* map, bool preload)
{
	Module* module = calloc(1, sizeof(Module));
	module->name = strdup(name);
	module->source = strdup(source);
	module->map = strdup(map);
	module->preload = preload;
	*gxLastModule = module;
	gxLastModule = &module->next;
}

static Module* findModule(const char* name)
{
	Module* module = gxFirstModule;
	while (module && strcmp(module->name, name))
		module = module->next;
	return module;
}

const char* mainModule(void)
{
	Module* module = gxFirstModule;
	while (module && module->preload)
		module = module->next;
	return module ? module->name : "";
}

// Resolves like the SDK: an ending ".js" or ".mjs" is dropped; "./" and "../" are relative to the importing module's name.
txID fxFindModule(txMachine* the, txSlot* realm, txID importer, txSlot* specifier)
{
	char name[C_PATH_MAX], path[C_PATH_MAX];
	char* rest = name;
	char* ending;
	fxToStringBuffer(the, specifier, name, sizeof(name));
	ending = strrchr(name, '.');
	if (ending && (!strcmp(ending, ".js") || !strcmp(ending, ".mjs")))
		*ending = 0;
	path[0] = 0;
	if (name[0] == '.') {
		char* slash;
		if (importer == XS_NO_ID)
			return XS_NO_ID;
		snprintf(path, sizeof(path), "/%s", fxGetKeyName(the, importer));
		*strrchr(path, '/') = 0;
		while (rest[0] == '.') {
			if (rest[1] == '/')
				rest += 2;
			else if (rest[1] == '.' && rest[2] == '/') {
				rest += 3;
				slash = strrchr(path, '/');
				if (!slash)
					return XS_NO_ID;
				*slash = 0;
			}
			else
				return XS_NO_ID;
		}
		strncat(path, "/", sizeof(path) - strlen(path) - 1);
	}
	strncat(path, rest, sizeof(path) - strlen(path) - 1);
	rest = path[0] == '/' ? path + 1 : path;
	return findModule(rest) ? fxNewNameC(the, rest) : XS_NO_ID;
}

void fxLoadModule(txMachine* the, txSlot* slot, txID id)
{
	Module* module = findModule(fxGetKeyName(the, id));
	if (module)
		fxResolveModule(the, slot, id, module->script, C_NULL, C_NULL);
}

// Makes XS use the functions and strings of the code in place, as xsc does for code in flash.
static void keepInPlace(txU1* p, txSize size)
{
	txU1* end = p + size;
	while (p < end) {
		txS1 length = gxCodeSizes[*p];
		switch (*p) {
		case XS_CODE_CODE_1: *p = XS_CODE_CODE_ARCHIVE_1; break;
		case XS_CODE_CODE_2: *p = XS_CODE_CODE_ARCHIVE_2; break;
		case XS_CODE_CODE_4: *p = XS_CODE_CODE_ARCHIVE_4; break;
		case XS_CODE_STRING_1: *p = XS_CODE_STRING_ARCHIVE_1; break;
		case XS_CODE_STRING_2: *p = XS_CODE_STRING_ARCHIVE_2; break;
		case XS_CODE_STRING_4: *p = XS_CODE_STRING_ARCHIVE_4; break;
		default: break;
		}
		if (length > 0)
			p += length;
		else if (length == 0)
			p += 1 + sizeof(txID);
		else if (length == -1)
			p += 2 + p[1];
		else if (length == -2)
			p += 3 + (p[1] | (p[2] << 8));
		else
			p += 5 + (p[1] | (p[2] << 8) | (p[3] << 16) | ((txU4)p[4] << 24));
	}
}

extern void fxRemapIDs(txMachine* the, txByte* codeBuffer, txSize codeSize, txID* theIDs);

static txScript* compile(txMachine* the, Module* module)
{
	txParser parser;
	txParserJump jump;
	txScript* script = NULL;
	txStringCStream stream = { module->source, 0, (txSize)strlen(module->source) };
	txID count, i;
	txID* ids;
	char* p;
	fxInitializeParser(&parser, the, the->parserBufferSize, the->parserTableModulo);
	parser.firstJump = &jump;
	if (c_setjmp(jump.jmp_buf) == 0) {
#ifdef mxDebug
		txUnsigned flags = mxDebugFlag;
#else
		txUnsigned flags = 0;
#endif
		parser.path = fxNewParserSymbol(&parser, module->name);
		fxParserTree(&parser, &stream, fxStringCGetter, flags, NULL);
#ifdef mxDebug
		if (module->map[0]) {
			txStringCStream map = { module->map, 0, (txSize)strlen(module->map) };
			txString name = NULL;
			fxParserSourceMap(&parser, &map, fxStringCGetter, flags, &name);
			if (name)
				parser.path = fxNewParserSymbol(&parser, name);
		}
#endif
		fxParserHoist(&parser);
		fxParserBind(&parser);
		script = fxParserCode(&parser);
	}
	fxTerminateParser(&parser);
	if (!script)
		refuse(module->name, "syntax error");
	if (gxCodeSize + script->codeSize > gxCodeCapacity)
		refuse(module->name, "too much code");
	p = (char*)script->symbolsBuffer;
	memcpy(&count, p, sizeof(txID));
	p += sizeof(txID);
	ids = calloc(count, sizeof(txID));
	ids[0] = XS_NO_ID;
	for (i = 1; i < count; i++) {
		ids[i] = fxNewNameC(the, p);
		p += strlen(p) + 1;
	}
	fxRemapIDs(the, script->codeBuffer, script->codeSize, ids);
	free(ids);
	keepInPlace((txU1*)script->codeBuffer, script->codeSize);
	memcpy(gxCode + gxCodeSize, script->codeBuffer, script->codeSize);
	script->codeBuffer = (txS1*)gxCode + gxCodeSize;
	script->symbolsBuffer = NULL; // otherwise XS would free the code once it has run
	gxCodeSize += script->codeSize;
	return script;
}

static void freeze(txSlot* instance)
{
	txSlot* property = instance->next;
	instance->flag |= XS_DONT_PATCH_FLAG;
	while (property) {
		property->flag |= XS_DONT_DELETE_FLAG;
		if (property->kind != XS_ACCESSOR_KIND)
			property->flag |= XS_DONT_SET_FLAG;
		property = property->next;
	}
}

// Built-ins, functions, classes and their prototypes cannot change in flash; other objects of a module get a copy in RAM
// when they are written to, but collections do not.
static void freezeFlash(txMachine* the)
{
	txSlot* heap;
	txSlot* slot;
	txSlot* global = mxGlobal.value.reference;
	// the global object of a parser's machine keeps a cache; a linked one has none, and flash cannot
	global->flag &= ~XS_EXOTIC_FLAG;
	global->next = global->next->next;
	for (slot = the->stackTop - 1; slot > the->stackTop - 1 - mxStackIndexCount; slot--)
		if (slot->kind == XS_REFERENCE_KIND && slot->value.reference != global)
			if (slot <= the->stackTop - 1 - XS_SYMBOL_ID_COUNT)
				freeze(slot->value.reference);
	for (heap = the->firstHeap; heap; heap = heap->next)
		for (slot = heap + 1; slot < heap->value.reference; slot++) {
			txSlot* property = slot->next;
			if (slot->kind != XS_INSTANCE_KIND || !property || !(property->flag & XS_INTERNAL_FLAG))
				continue;
			if (mxIsFunction(slot)) {
				freeze(slot);
				for (property = slot->next; property; property = property->next)
					if (property->ID == mxID(_prototype) && property->kind == XS_REFERENCE_KIND)
						freeze(property->value.reference);
			}
			else if (property->kind == XS_MAP_KIND || property->kind == XS_SET_KIND || property->kind == XS_WEAK_MAP_KIND
				|| property->kind == XS_WEAK_SET_KIND || property->kind == XS_DATE_KIND)
				freeze(slot);
		}
}

static void keepSlotInPlace(txSlot* slot)
{
	switch (slot->kind) {
	case XS_STRING_KIND: slot->kind = XS_STRING_X_KIND; break;
	case XS_KEY_KIND: slot->kind = XS_KEY_X_KIND; break;
	case XS_CODE_KIND: slot->kind = XS_CODE_X_KIND; break;
	case XS_BIGINT_KIND: slot->kind = XS_BIGINT_X_KIND; break;
	case XS_REGEXP_KIND: slot->value.regexp.data = C_NULL; break; // what was captured last: RAM, made at each use
	default: break;
	}
}

// Otherwise the device's collector would move, and so corrupt, what its slots share with flash.
static void keepSlotsInPlace(txMachine* the)
{
	txSlot* heap;
	txSlot* slot;
	for (heap = the->firstHeap; heap; heap = heap->next)
		for (slot = heap + 1; slot < heap->value.reference; slot++) {
			keepSlotInPlace(slot);
			if (slot->kind == XS_ARRAY_KIND && slot->value.array.address) {
				txIndex count = fxGetIndexSize(the, slot);
				for (txIndex i = 0; i < count; i++)
					keepSlotInPlace(slot->value.array.address + i);
			}
			if (slot->kind == XS_INSTANCE_KIND && (slot->flag & XS_MARK_FLAG) && slot->ID != XS_NO_ID)
				gxUnfrozen++;
		}
	for (slot = the->stack; slot < the->stackTop; slot++)
		keepSlotInPlace(slot);
}

static void addNatives(txMachine* the, const txHostFunctionBuilder* natives, const char* const* names, int count)
{
	txSlot* machine;
	mxPush(mxObjectPrototype);
	machine = fxNewObjectInstance(the);
	for (int i = 0; i < count; i++) {
		fxNewHostFunction(the, natives[i].callback, natives[i].length, XS_NO_ID, XS_NO_ID);
		mxPushReference(machine);
		mxSetID(fxID(the, (txString)names[i]));
		mxPop();
	}
	freeze(machine);
	mxPush(mxGlobal);
	mxSetID(fxID(the, "machine"));
	mxPop();
}

void sealFlash(const txHostFunctionBuilder* natives, const char* const* names, int count)
{
	static txCreation creation = {
		.initialChunkSize = 1 << 20,
		.incrementalChunkSize = 1 << 20,
		.initialHeapCount = 1 << 15,
		.incrementalHeapCount = 1 << 14,
		.stackCount = 4096,
		.initialKeyCount = 4096,
		.incrementalKeyCount = 1024,
		.nameModulo = 127,
		.symbolModulo = 127,
		.parserBufferSize = 64 * 1024,
		.parserTableModulo = 1993,
	};
	static Module* module; // the one at work; static, since an exception jumps back here
	txMachine* the;
	openArea(&gxFlashArea, 0, 32 << 20);
	gxCode = mmap(NULL, gxCodeCapacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
	the = fxCreateMachine(&creation, "flash", &gxFlashArea, XS_NO_ID);
	fxBeginHost(the);
	mxTry(the) {
		addNatives(the, natives, names, count);
		for (module = gxFirstModule; module; module = module->next) {
			module->script = compile(the, module);
			fxNewNameC(the, module->name);
		}
		for (module = gxFirstModule; module; module = module->next) {
			if (module->preload) {
				mxPushStringC(module->name);
				fxAwaitImport(the, XS_IMPORT_NAMESPACE);
				mxPop();
			}
		}
		while (the->promiseJobs) {
			the->promiseJobs = 0;
			fxRunPromiseJobs(the);
		}
	}
	mxCatch(the) {
		char detail[4096];
		describeException(the, detail, sizeof(detail));
		refuse(module ? module->name : "", detail);
	}
	fxEndHost(the);
	fxCollectGarbage(the);
	freezeFlash(the);
	fxShareMachine(the);
	keepSlotsInPlace(the);
	sealArea(&gxFlashArea);
	mprotect(gxCode, gxCodeCapacity, PROT_READ);
	gxFlash = the;
}

bool inFlash(void* address)
{
	char* p = address;
	return inArea(&gxFlashArea, address) || (gxCode <= p && p < gxCode + gxCodeCapacity);
}

void printFlash(Text* text)
{
	Module* module;
	print(text, "{\"slotBytes\":%d,\"slots\":%d,\"chunks\":%d", (int)sizeof(txSlot), gxFlash->currentHeapCount, gxFlash->currentChunksSize);
	print(text, ",\"keys\":%d,\"unfrozen\":%d,\"aliases\":%d", gxFlash->keyIndex, gxUnfrozen, gxFlash->aliasCount);
	print(text, ",\"bytecode\":{");
	for (module = gxFirstModule; module; module = module->next) {
		printString(text, module->name);
		print(text, ":%d%s", module->script->codeSize, module->next ? "," : "");
	}
	print(text, "}}");
}
