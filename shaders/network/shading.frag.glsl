// One stage of the network, weights as constants. app/render/backends/stage_programs.py inserts the two parts in capitals.
//   SCALED 1: the stage reads the feature pyramid.
#if SCALED
#include "include/pyramid_level.glsl"
#endif
DECLARATIONS

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    vec4 x;
BODY
}
