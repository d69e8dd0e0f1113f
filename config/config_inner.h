/* config_inner: what the parts of the reader share. For config/ only. */
#ifndef LC_CONFIG_CONFIG_INNER_H
#define LC_CONFIG_CONFIG_INNER_H

#include "config/setting.h"
#include "config/yaml.h"

struct config_reader {
    struct config config; /* being filled */
    struct config_errors *errors;
    config_refuse_fn *refuse;
    struct arena scratch; /* nodes and suggestions */
    struct yaml_tree tree;
};

/* "path.of.the.node: words" at a place; marks the node. */
void config_node_fault(struct config_reader *reader, struct yaml_node *node, struct yaml_place at,
                       const char *words);
/* A member of one of setting_maps. */
void config_map_read(struct config_reader *reader, struct yaml_node *node);
/* What must hold between settings. Said at the last of them that stands in the file; not said while
 * one of them is wrong itself. */
void config_check(struct config_reader *reader);

#endif
