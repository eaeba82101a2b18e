// A level of the feature pyramid: means of 2 x 2 texels of the level below. app/render/backends/pyramid.py inserts the
// two parts in capitals.
DECLARATIONS

void main() {
    ivec2 low = 2 * ivec2(gl_FragCoord.xy);
    ivec2 high = min(low + 1, textureSize(u_input0, 0) - 1);
BODY
}
