// Why Wi-Fi was lost or could not be joined, which the SDK's Wi-Fi class does not report. The event handler runs in
// ESP-IDF's task, and must do nothing but store the reason.

#include "xsmc.h"
#include "xsHost.h"

#include "esp_event.h"
#include "esp_wifi.h"

static volatile uint16_t gReason;
static uint8_t gRegistered;

static void didDisconnect(void *arg, esp_event_base_t base, int32_t id, void *data)
{
	gReason = ((wifi_event_sta_disconnected_t *)data)->reason;
}

/**
 * The wifi_err_reason_t of the last disconnection, 0 before the first. The first call, after Wi-Fi was initialized, installs
 * the handler.
 */
void fleet_wifiReason(xsMachine *the)
{
	if (!gRegistered)
		gRegistered = ESP_OK == esp_event_handler_register(WIFI_EVENT, WIFI_EVENT_STA_DISCONNECTED, didDisconnect, NULL);
	xsmcSetInteger(xsResult, gReason);
}
