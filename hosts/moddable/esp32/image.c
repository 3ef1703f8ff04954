// Identifies the running firmware image, from ESP-IDF's application description.

#include "xsmc.h"
#include "xsHost.h"

#include "esp_app_desc.h"

/** The first 16 hexadecimal digits of the ELF file's SHA-256. `esptool image_info` prints the same value for an image. */
void fleet_build(xsMachine *the)
{
	char digits[17];

	esp_app_get_elf_sha256(digits, sizeof(digits));
	xsmcSetString(xsResult, digits);
}
