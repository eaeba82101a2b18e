// The edges of one shell's faces, in one colour.
uniform vec4 u_color;  // straight

out vec4 o_color;

void main() {
    o_color = u_color;
}
