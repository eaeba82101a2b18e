// One stage of the network, weights as constants. app/render/backends/fragment.py inserts the two parts in capitals.
DECLARATIONS

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    vec4 x;
BODY
}
