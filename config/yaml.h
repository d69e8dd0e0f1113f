/* yaml: a configuration file as a flat list of its keys and values, each with its place. The only
 * user of libyaml.
 *
 * The subset that a configuration needs: maps of scalars, YAML_DEPTH_MAX deep. Lists, anchors,
 * tags, several documents and repeated keys are errors with a place, and reading goes on behind
 * them. */
#ifndef LC_CONFIG_YAML_H
#define LC_CONFIG_YAML_H

#include "base/arena.h"
#include "config/config.h"

#define YAML_DEPTH_MAX 3
#define YAML_NODES_MAX 2048

struct yaml_place {
    int line, column; /* from 1 */
};

struct yaml_node {
    const char *names[YAML_DEPTH_MAX]; /* from the root, names[depth - 1] is its own */
    int depth;
    bool map;          /* its members follow as nodes of their own */
    bool null;         /* nothing, ~ or null, not quoted */
    bool bad;          /* for the reader of the list: an error was said about it */
    struct span value; /* NUL behind it */
    struct yaml_place key_at, value_at;
};

struct yaml_tree {
    struct yaml_node *nodes; /* in the order of the file */
    size_t count;
};

/* Nodes and texts are in the arena. Errors are appended; FULL only when the arena is. */
enum status yaml_tree_read(struct span text, struct arena *arena, struct yaml_tree *ret_tree,
                           struct config_errors *errors) LC_CHECKED;

#endif
