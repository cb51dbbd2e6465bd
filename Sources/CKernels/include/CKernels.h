#pragma once
int ck_placeholder(void);
#include "sparse.h"
