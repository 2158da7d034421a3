/* The pair of 8259 interrupt controllers, which Keel does not use. */
#pragma once

/* Moves their vectors to 32-47, away from the exceptions, and masks every line. */
void pic_mask(void);
