/* Serials in DNS messages. fuzz runs: 100000 */
#include "fuzz.h"
#include "net/soa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = (uint8_t *)fuzz_copy(data, size, 0);
	uint32_t serial = 0;

	(void)!soa_serial(copy, size, &serial);
	free(copy);
	return 0;
}
