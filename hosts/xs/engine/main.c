// Takes modules, makes flash of them, and then gives the device one life after another, each in a forked process of its own. A
// restart costs a millisecond, and only what Node holds outlives it.

#include "engine.h"
#include <signal.h>
#include <sys/wait.h>
#ifdef __linux__
	#include <sys/prctl.h>
#endif

int main(void)
{
	Frame frame;
	openFrames();
	for (;;) {
		readFrame(&frame);
		switch (frame.kind) {
		case FRAME_MODULE: { // the number says whether to preload; name, 0, source, 0, source map or nothing
			char* source = frame.bytes + strlen(frame.bytes) + 1;
			addModule(frame.bytes, source, source + strlen(source) + 1, frame.number != 0);
			break;
		}
		case FRAME_SEAL: {
			Text text = { .length = 0 };
			sealFlash(gxNatives, gxNativeNames, gxNativeCount);
			printFlash(&text);
			writeFrame(FRAME_READY, 0, 0, text.text, text.length);
			break;
		}
		case FRAME_BOOT: {
			int status;
			pid_t pid = fork();
			if (pid < 0)
				return ENDED_BY_PROTOCOL;
			if (pid == 0) {
#ifdef __linux__
				prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
				runDevice(frame.bytes);
			}
			waitpid(pid, &status, 0);
			writeFrame(FRAME_ENDED, 0, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), NULL, 0);
			break;
		}
		default: // meant for a device that has ended in the meantime
			break;
		}
	}
}
