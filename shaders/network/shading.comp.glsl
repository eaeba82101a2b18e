// One stage of the network, weights as constants. app/render/backends/stage_programs.py inserts the two parts in capitals.
//   SCALED 1: the stage reads the feature pyramid.
#include "include/tile_list.glsl"
#if SCALED
#include "include/pyramid_level.glsl"
#endif

DECLARATIONS

void main() {
    ivec2 pixel = pixel_of_tile();
    vec4 x;
BODY
}
