// Which image runs, in the words of ESP-IDF's description of the app.

#include "xsmc.h"
#include "xsHost.h"

#include "esp_app_desc.h"

/** The first 16 hexadecimal digits of the SHA-256 of the ELF file, which `esptool image_info` prints of an image, too. */
void fleet_build(xsMachine *the)
{
	char digits[17];

	esp_app_get_elf_sha256(digits, sizeof(digits));
	xsmcSetString(xsResult, digits);
}
