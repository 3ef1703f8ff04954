// The pipe to Node: length-prefixed binary frames, read exactly (never ahead, since another process may read the next one).

#include "engine.h"
#include <errno.h>

#define HEADER 17 // all little-endian: length of what follows (4 bytes), kind (1), id (4), number (8, a double)

static char gxOutput[1 << 16];
static size_t gxOutputSize = 0;
static int gxPipe;

void openFrames(void)
{
	// When built for debugging, XS prints each exception to stdout, where the text would end up among the frames.
	gxPipe = dup(1);
	if (gxPipe < 0 || freopen("/dev/null", "w", stdout) == NULL)
		_exit(ENDED_BY_PROTOCOL);
}

static void writeFully(const void* bytes, size_t size)
{
	const char* p = bytes;
	while (size > 0) {
		ssize_t count = write(gxPipe, p, size);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			_exit(ENDED_BY_PROTOCOL);
		p += count;
		size -= count;
	}
}

static bool readFully(void* bytes, size_t size)
{
	char* p = bytes;
	while (size > 0) {
		ssize_t count = read(0, p, size);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		p += count;
		size -= count;
	}
	return true;
}

void flushFrames(void)
{
	size_t size = gxOutputSize;
	gxOutputSize = 0;
	writeFully(gxOutput, size);
}

void writeFrame(uint8_t kind, uint32_t id, double number, const void* bytes, uint32_t size)
{
	char header[HEADER];
	uint32_t length = HEADER - 4 + size;
	memcpy(header, &length, 4);
	header[4] = kind;
	memcpy(header + 5, &id, 4);
	memcpy(header + 9, &number, 8);
	if (gxOutputSize + HEADER + size > sizeof(gxOutput))
		flushFrames();
	if (HEADER + size > sizeof(gxOutput)) {
		writeFully(header, HEADER);
		writeFully(bytes, size);
		return;
	}
	memcpy(gxOutput + gxOutputSize, header, HEADER);
	if (size)
		memcpy(gxOutput + gxOutputSize + HEADER, bytes, size);
	gxOutputSize += HEADER + size;
}

void readFrame(Frame* frame)
{
	static char* buffer = NULL;
	static uint32_t capacity = 0;
	char header[HEADER];
	uint32_t length;
	flushFrames();
	if (!readFully(header, HEADER))
		_exit(ENDED);
	memcpy(&length, header, 4);
	frame->kind = header[4];
	memcpy(&frame->id, header + 5, 4);
	memcpy(&frame->number, header + 9, 8);
	frame->size = length - (HEADER - 4);
	if (frame->size + 1 > capacity) {
		capacity = frame->size + 1;
		buffer = realloc(buffer, capacity);
		if (!buffer)
			_exit(ENDED_BY_PROTOCOL);
	}
	if (!readFully(buffer, frame->size))
		_exit(ENDED);
	buffer[frame->size] = 0;
	frame->bytes = buffer;
}

void print(Text* text, const char* format, ...)
{
	size_t room = sizeof(text->text) - text->length;
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text->text + text->length, room, format, arguments);
	va_end(arguments);
	text->length += (size_t)length < room ? (size_t)length : room - 1;
}

void printString(Text* text, const char* string)
{
	print(text, "\"");
	for (; *string && text->length < sizeof(text->text) - 16; string++) {
		unsigned char c = *string;
		if (c == '"' || c == '\\')
			print(text, "\\%c", c);
		else if (c == '\n')
			print(text, "\\n");
		else if (c < 0x20)
			print(text, "\\u%04x", c);
		else
			print(text, "%c", c);
	}
	print(text, "\"");
}
