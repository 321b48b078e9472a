#include "loader.h"
const struct verb verb_broker = {.name="broker", .summary="x"};
const struct verb verb_status = {.name="status", .summary="x"};
