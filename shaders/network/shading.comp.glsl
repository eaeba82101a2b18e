// One stage of the network, weights as constants. app/render/backends/compute.py inserts the three parts in capitals.
//   SCALED 1: the stage reads the feature pyramid.
#include "include/tile_list.glsl"
#if SCALED
#include "include/pyramid_level.glsl"
#endif

DECLARATIONS

void main() {
    ivec2 pixel = pixel_of_tile();
    vec4 x;
#if SCALED
    float coverage = texelFetch(u_hits, pixel, 0).a;
    if (coverage == 0.0) {
EMPTY
        return;
    }
#endif
BODY
}
