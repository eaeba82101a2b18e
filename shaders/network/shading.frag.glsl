// One stage of the network, weights as constants. app/render/backends/fragment.py inserts the three parts in capitals.
//   SCALED 1: the stage reads the feature pyramid.
#if SCALED
#include "include/pyramid_level.glsl"
#endif
DECLARATIONS

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
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
