// The sum of the first layer's taps but the centre, on a level of the feature pyramid, weights as constants.
// app/render/backends/pyramid.py inserts the two parts in capitals.
uniform ivec2 u_first;  // first texel of the level in the target
DECLARATIONS

void main() {
    ivec2 texel = ivec2(gl_FragCoord.xy) - u_first;
    ivec2 last = textureSize(u_input0, 0) - 1;
    vec4 x;
BODY
}
