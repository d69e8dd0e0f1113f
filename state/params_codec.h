/* params_codec: struct params ↔ its canonical text (one `name=value` a line, every row of
 * params.def in order, then clock, reporting currency, rates, and the insight when there is one),
 * and its fingerprint. The text travels in SWITCH and BIRTH records of the control topic: a replay
 * years later folds with the numbers of then. A name missing from an old text takes its default; an
 * unknown name is REJECT. */
#ifndef LC_STATE_PARAMS_CODEC_H
#define LC_STATE_PARAMS_CODEC_H

#include "base/arena.h"
#include "model/params.h"
#include "state/store.h"

#define PARAMS_TEXT_MAX 16384

/* The insight's lines alone: what is proposed to the daemons (insight/proposal.h). */
enum status params_encode_insight(const struct insight *insight, struct arena *arena,
                                  struct span *ret_text) LC_CHECKED;
enum status params_decode_insight(struct span text, struct insight *ret_insight,
                                  struct report *report) LC_CHECKED;

enum status params_encode(const struct params *params, struct arena *arena,
                          struct span *ret_text) LC_CHECKED;
enum status params_decode(struct span text, struct params *ret_params,
                          struct report *report) LC_CHECKED;
/* Hex of XXH3 of the canonical text, and of the level of the fold when that is above 1. */
void params_fingerprint(const struct params *params, char ret_cfg[STORE_CFG_BYTES]);
/* The same of what params_encode wrote. */
void params_text_fingerprint(struct span text, int64_t level, char ret_cfg[STORE_CFG_BYTES]);
/* The level that a fingerprint tells, whoever made it: a state or K above FOLD_LEVEL is of a newer
 * version, not for this build to touch. */
int64_t params_level_of(const char *cfg);

#endif
