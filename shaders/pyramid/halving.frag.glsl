// A level of the feature pyramid: means of 2 x 2 texels of the level below, each by one bilinear look-up between them.
// app/render/backends/pyramid.py inserts the two parts in capitals.
DECLARATIONS

void main() {
    vec2 place = (2.0 * floor(gl_FragCoord.xy) + 1.0) / vec2(textureSize(u_input0, 0));
BODY
}
